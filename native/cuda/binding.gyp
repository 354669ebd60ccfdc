{
  'targets': [
    {
      'target_name': 'cuda',
      'sources': ['addon/addon.cpp', 'addon/cublas.cpp', 'addon/device.cpp', 'addon/driver.cpp', 'addon/launches.cpp',
                  'addon/plan.cpp', 'addon/products.cpp', 'addon/run.cpp', 'addon/staging.cpp'],
      'include_dirs': ["<!(node -p \"require('node-addon-api').include_dir\")"],
      'defines': ['NAPI_VERSION=8', 'NODE_ADDON_API_CPP_EXCEPTIONS',
                  # A promise that is settled while its thread ends has nobody to tell.
                  'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS'],
      'cflags_cc': ['-std=gnu++17', '-O1', '-fexceptions', '-Wall', '-Wextra', '-fvisibility=hidden'],
      'cflags_cc!': ['-fno-exceptions'],
      'xcode_settings': {
        'CLANG_CXX_LANGUAGE_STANDARD': 'gnu++17',
        'GCC_ENABLE_CPP_EXCEPTIONS': 'YES',
        'GCC_SYMBOLS_PRIVATE_EXTERN': 'YES',
      },
      'msvs_settings': {'VCCLCompilerTool': {'ExceptionHandling': 1}},
    },
  ],
}
