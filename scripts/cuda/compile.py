"""Compiles CUDA C++ with NVRTC, which needs neither a GPU nor a driver: compile.py TARGET SOURCE OUT.

TARGET is compute_80 for PTX or sm_90 for machine code. NVRTC comes from the package nvidia-cuda-nvrtc-cu12; make-ptx.ts
calls this script and names the version.
"""

import ctypes
import glob
import os
import sys

import nvidia.cuda_nvrtc

folder = os.path.join(list(nvidia.cuda_nvrtc.__path__)[0], "lib")
nvrtc = ctypes.CDLL(glob.glob(os.path.join(folder, "libnvrtc.so.*"))[0])
target, source, out = sys.argv[1:4]


def check(code):
    if code:
        nvrtc.nvrtcGetErrorString.restype = ctypes.c_char_p
        sys.exit(f"nvrtc: {nvrtc.nvrtcGetErrorString(code).decode()}")


program = ctypes.c_void_p()
with open(source, "rb") as file:
    check(nvrtc.nvrtcCreateProgram(ctypes.byref(program), file.read(), b"kernels.cu", 0, None, None))
options = [b"--gpu-architecture=" + target.encode(), b"--std=c++17"]
result = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
size = ctypes.c_size_t()
check(nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size)))
log = ctypes.create_string_buffer(size.value)
check(nvrtc.nvrtcGetProgramLog(program, log))
if log.value.strip():
    print(log.value.decode(), file=sys.stderr)
check(result)
kind = "CUBIN" if target.startswith("sm_") else "PTX"
check(getattr(nvrtc, f"nvrtcGet{kind}Size")(program, ctypes.byref(size)))
code = ctypes.create_string_buffer(size.value)
check(getattr(nvrtc, f"nvrtcGet{kind}")(program, code))
with open(out, "wb") as file:
    file.write(code.raw if kind == "CUBIN" else code.value)
