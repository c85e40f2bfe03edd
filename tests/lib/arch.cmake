# Tests of lib/src/arch.
set(ARCH_TESTS ${PROJECT_SOURCE_DIR}/tests/lib)
cosched_lib_test(test_context)
cosched_lib_test(test_lock)
cosched_lib_test(test_overflow)
cosched_lib_test(test_stack)
target_sources(test_context PRIVATE ${ARCH_TESTS}/switch_registers.S)

# One source, several code generators: what the inline switch must survive.
function(arch_inline_probe name)
    add_library(inline_probe_${name} OBJECT ${ARCH_TESTS}/inline_probe.c)
    target_link_libraries(inline_probe_${name} PRIVATE cosched_flags)
    target_include_directories(inline_probe_${name} PRIVATE ${PROJECT_SOURCE_DIR}/lib/src)
    target_compile_definitions(inline_probe_${name} PRIVATE PROBE_NAME=inline_probe_${name})
    target_compile_options(inline_probe_${name} PRIVATE
        -U_FORTIFY_SOURCE -ffp-contract=off -Wno-frame-larger-than ${ARGN})
    target_sources(test_context PRIVATE $<TARGET_OBJECTS:inline_probe_${name}>)
endfunction()
arch_inline_probe(o0 -O0)
arch_inline_probe(o2 -O2)
arch_inline_probe(o3 -O3 -fomit-frame-pointer)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    arch_inline_probe(avx2 -O3 -mavx2 -mfma)
    arch_inline_probe(avx512 -O3 -mavx512f -mavx512vl -mavx512dq -mavx512bw)
endif()

# The floors below libuv for other machines and another C library, and what the compilers made of the functions that switch.
foreach(machine aarch64 riscv64 musl)
    add_test(NAME arch_${machine} COMMAND sh ${PROJECT_SOURCE_DIR}/tests/support/machine.sh ${machine}
             ${CMAKE_CURRENT_BINARY_DIR}/${machine})
    set_tests_properties(arch_${machine} PROPERTIES LABELS cross TIMEOUT 300 SKIP_RETURN_CODE 77)
endforeach()
if(NOT COSCHED_SANITIZE)
    set(tls_lint ${PROJECT_SOURCE_DIR}/tests/lint/tls_in_switch.sh)
    add_test(NAME lint_tls_in_switch COMMAND sh ${tls_lint} $<TARGET_FILE:cosched_static>)
    add_test(NAME lint_tls_in_switch_can_fail COMMAND sh ${tls_lint} --self-test ${CMAKE_C_COMPILER})
    set_tests_properties(lint_tls_in_switch lint_tls_in_switch_can_fail PROPERTIES LABELS lint TIMEOUT 120)
endif()
