{
  'variables': {
    # comparisons of NaN matter here (a diverged model), errno and floating-point traps do not
    # (GCC 12 warns of its own AVX-512 headers)
    'kernel_flags': ['-O3', '-fno-math-errno', '-fno-trapping-math', '-ffp-contract=fast', '-Wno-uninitialized', '-Wno-maybe-uninitialized'],
  },
  'target_defaults': {
    'include_dirs': ['.'],
    'cflags_cc!': ['-fno-exceptions'],
    'cflags_cc': ['-std=gnu++17', '-Wall', '-Wextra', '-Wno-psabi', '-fvisibility=hidden'],
    'xcode_settings': {
      'GCC_ENABLE_CPP_EXCEPTIONS': 'YES',
      'CLANG_CXX_LANGUAGE_STANDARD': 'gnu++17',
      'GCC_SYMBOLS_PRIVATE_EXTERN': 'YES',
    },
    'conditions': [['target_arch=="x64"', {'defines': ['ENGINE_X64']}]],
  },
  'targets': [
    {
      'target_name': 'engine',
      'sources': [
        'addon/addon.cpp',
        'addon/addon-run.cpp',
        'addon/addon-decoder.cpp',
        'addon/addon-kernels.cpp',
        'kernels/choose.cpp',
        # all of src: an architecture is one more file there
        '<!@(node -p "require(\'fs\').readdirSync(\'src\').filter((f) => f.endsWith(\'.cpp\')).map((f) => \'src/\' + f).join(\' \')")',
      ],
      'dependencies': ['kernels_generic'],
      'conditions': [['target_arch=="x64"', {'dependencies': ['kernels_avx2', 'kernels_avx512']}]],
    },
    {
      'target_name': 'kernels_generic',
      'type': 'static_library',
      'sources': ['kernels/generic.cpp'],
      'cflags_cc': ['<@(kernel_flags)'],
      'xcode_settings': {'OTHER_CPLUSPLUSFLAGS': ['<@(kernel_flags)']},
    },
  ],
  'conditions': [
    ['target_arch=="x64"', {
      'targets': [
        {
          'target_name': 'kernels_avx2',
          'type': 'static_library',
          'sources': ['kernels/avx2.cpp'],
          'cflags_cc': ['<@(kernel_flags)', '-mavx2', '-mfma'],
          'xcode_settings': {'OTHER_CPLUSPLUSFLAGS': ['<@(kernel_flags)', '-mavx2', '-mfma']},
        },
        {
          'target_name': 'kernels_avx512',
          'type': 'static_library',
          # the last two widen their target themselves, where the compiler can (kernels/bf16-instructions.hpp)
          'sources': ['kernels/avx512.cpp', 'kernels/avx512bf16.cpp', 'kernels/amx.cpp'],
          'cflags_cc': ['<@(kernel_flags)', '-mavx2', '-mfma', '-mavx512f', '-mavx512dq', '-mavx512bw', '-mavx512vl'],
          'xcode_settings': {
            'OTHER_CPLUSPLUSFLAGS': ['<@(kernel_flags)', '-mavx2', '-mfma', '-mavx512f', '-mavx512dq', '-mavx512bw', '-mavx512vl'],
          },
        },
      ],
    }],
  ],
}
