{
  'targets': [
    {
      'target_name': 'spawn',
      'sources': ['spawn.cpp'],
      'include_dirs': ["<!(node -p \"require('node-addon-api').include_dir\")"],
      'defines': ['NAPI_VERSION=8', 'NODE_ADDON_API_CPP_EXCEPTIONS'],
      'cflags_cc': ['-std=gnu++17', '-O2', '-fexceptions', '-Wall', '-Wextra'],
      'cflags_cc!': ['-fno-exceptions'],
      'xcode_settings': {
        'CLANG_CXX_LANGUAGE_STANDARD': 'gnu++17',
        'GCC_ENABLE_CPP_EXCEPTIONS': 'YES',
      },
    },
  ],
}
