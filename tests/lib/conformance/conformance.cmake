# What the runtime promises, each with 0, 1, 2, 4, 8 and 64 workers: conformance/README.md. Every day a share of the long
# ones; `nightly` all of it (COSCHED_FULL=1).
set(CONFORMANCE ${CMAKE_CURRENT_SOURCE_DIR}/conformance)
function(cosched_promise name)
    cosched_test(${name} SOURCES ${CONFORMANCE}/${name}.c LIBS cosched_static Threads::Threads LABELS conformance
                 INCLUDES ${PROJECT_SOURCE_DIR}/lib/src)
endfunction()
foreach(theme results nesting transfer handles zero_workers host_loop post later tokens errors shutdown scopes groups
              channels locks descriptors outside fairness)
    cosched_promise(promise_${theme})
endforeach()
cosched_promise(pathology)

foreach(name promise_transfer promise_handles promise_tokens promise_channels promise_locks promise_descriptors pathology)
    add_test(NAME ${name}_in_full COMMAND ${name})
    set_tests_properties(${name}_in_full PROPERTIES LABELS "conformance;nightly" TIMEOUT 3600 ENVIRONMENT COSCHED_FULL=1)
endforeach()

add_test(NAME conformance_table COMMAND sh ${CONFORMANCE}/table.sh ${CONFORMANCE})
set_tests_properties(conformance_table PROPERTIES LABELS lint)

# Depth depends on the size of frames, so these are built twice (sched.cmake).
set_property(TEST test_depth_o0 test_depth_o2 APPEND PROPERTY LABELS conformance)

# Figures that a wall clock gives, and that gate nothing: ctest -L timing.
foreach(name ticks latency)
    cosched_test(timing_${name} SOURCES ${CONFORMANCE}/timing_${name}.c LIBS cosched_static Threads::Threads
                 LABELS timing nightly)
endforeach()
