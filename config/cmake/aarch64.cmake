# Cross build for aarch64 GNU/Linux with Debian's packages; tests run under qemu-user, which executes with x86's
# memory ordering: it tests the assembly and the ABI, never the memory orders.
#   cmake -B build/aarch64 -DCMAKE_TOOLCHAIN_FILE=config/cmake/aarch64.cmake -DCOSCHED_LIB_ONLY=ON
# Needs gcc-aarch64-linux-gnu, qemu-user-static and, for the whole library, libuv1-dev:arm64 and check:arm64.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_ASM_COMPILER aarch64-linux-gnu-gcc)
# No -L to the cross compiler's libc: its loader beside the libc6:arm64 that libuv brings hangs in the child of a fork.
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static)

# gcc expects guards of 64 KiB here, and would let a frame jump over our guard of one page.
set(CMAKE_C_FLAGS_INIT "--param stack-clash-protection-guard-size=12")

set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/aarch64-linux-gnu/pkgconfig)
