# Eyes: what looks into a running system (lib/src/inspect).
foreach(name latency outside_inspect tasks_seen tasks_chain tasks_storm tasks_stuck tasks_not_stuck peek dump slices trace)
    cosched_lib_test(test_${name})
    set_property(TEST test_${name} APPEND PROPERTY LABELS inspect)
endforeach()

# The trace as a file, read by a parser.
find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND AND NOT CMAKE_CROSSCOMPILING)
    add_executable(trace_sample trace_sample.c)
    target_link_libraries(trace_sample PRIVATE cosched_flags cosched_static)
    set_target_properties(trace_sample PROPERTIES COSCHED_ANY_FRAME ON)
    add_test(NAME trace_file COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/test_trace.py
             $<TARGET_FILE:trace_sample> ${CMAKE_CURRENT_BINARY_DIR} 0 1 2 4 8)
    set_tests_properties(trace_file PROPERTIES LABELS "unit;inspect" TIMEOUT 300 ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
endif()

# USDT probes, where they are built in: each has its note.
find_program(READELF readelf)
if(COSCHED_HAVE_SDT AND READELF AND NOT CMAKE_CROSSCOMPILING)
    add_test(NAME probes_of_the_library COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/probes.sh ${READELF} $<TARGET_FILE:cosched_shared>
             slice_begin slice_end spawn wake hop steal park unpark blocking_begin blocking_end mark)
    set_tests_properties(probes_of_the_library PROPERTIES LABELS "unit;inspect")
    if(NOT COSCHED_LIB_ONLY)
        add_test(NAME probes_of_the_daemon COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/probes.sh ${READELF} $<TARGET_FILE:coschedd>
                 job_state commit slice_begin hop)
        set_tests_properties(probes_of_the_daemon PROPERTIES LABELS "unit;inspect")
    endif()
endif()
