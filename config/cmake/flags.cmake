# Compiler and linker settings shared by every target: link cosched_flags PRIVATE.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
set(CMAKE_C_FLAGS_DEBUG "-O0 -g3 -DCOS_DEBUG=1")

add_library(cosched_flags INTERFACE)
target_compile_definitions(cosched_flags INTERFACE _GNU_SOURCE)
target_compile_options(cosched_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes
    -Wmissing-prototypes -Wold-style-definition -Wundef -Wvla -Wswitch-enum -Wcast-align
    -Wcast-qual -Wwrite-strings -Wpointer-arith -Wformat=2 -Wnull-dereference
    -Wdouble-promotion -fno-omit-frame-pointer -fstack-clash-protection)
if(COSCHED_WERROR)
    target_compile_options(cosched_flags INTERFACE -Werror)
endif()
if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
    target_compile_options(cosched_flags INTERFACE -Wcomma -Wimplicit-fallthrough)
endif()

if(COSCHED_COVERAGE)
    # Atomic: counters are hit from many threads, and by tasks that change theirs between two of them.
    target_compile_options(cosched_flags INTERFACE --coverage -fprofile-update=atomic -fprofile-abs-path)
    target_link_options(cosched_flags INTERFACE --coverage)
endif()

if(COSCHED_SANITIZE STREQUAL "address")
    target_compile_options(cosched_flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all)
    target_link_options(cosched_flags INTERFACE -fsanitize=address,undefined)
elseif(COSCHED_SANITIZE STREQUAL "thread")
    target_compile_options(cosched_flags INTERFACE -fsanitize=thread)
    target_link_options(cosched_flags INTERFACE -fsanitize=thread)
elseif(COSCHED_SANITIZE)
    message(FATAL_ERROR "COSCHED_SANITIZE must be empty, address or thread")
else()
    # Hardening and the frame budget: sanitizers grow frames and replace the checks.
    target_compile_options(cosched_flags INTERFACE -fstack-protector-strong -fno-plt
        $<$<NOT:$<BOOL:$<TARGET_PROPERTY:COSCHED_ANY_FRAME>>>:-Wframe-larger-than=4096>)
    if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
        target_compile_options(cosched_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
    endif()
    target_link_options(cosched_flags INTERFACE -Wl,-z,relro,-z,now)
endif()
