# Tests of lib/src/sched, sync and the counters of inspect: one file a source, or a group of them.
foreach(noun task depot spawn join inline_join locked scope cancel call hop event group channel blocking crew fpenv outside fork jumps runtime worker mainloop stats current cpus timers
             inline_rules inline_budget priority help help_learn one_executor invoke invoke_panic)
    cosched_lib_test(test_${noun})
endforeach()
target_sources(test_outside PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/test_outside_io.c)
if(COSCHED_COVERAGE) # each counter that it keeps is a locked operation
    set_tests_properties(test_locked PROPERTIES DISABLED ON)
endif()

# Depth depends on the size of frames: each optimisation has its own.
foreach(level 0 2)
    cosched_test(test_depth_o${level} SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/test_depth.c LIBS cosched_static LABELS unit
                 INCLUDES ${PROJECT_SOURCE_DIR}/lib/src)
    target_compile_options(test_depth_o${level} PRIVATE -U_FORTIFY_SOURCE -O${level})
endforeach()
# The compiler may not compute with a rounding mode that it guesses.
target_compile_options(test_fpenv PRIVATE $<$<C_COMPILER_ID:GNU>:-frounding-math>)
target_link_libraries(test_fpenv PRIVATE m)
