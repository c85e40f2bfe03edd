# Tests of lib/src/sync beyond what tasks need to live: one file a source.
foreach(noun mutex cond sem rwlock barrier once wait_group select)
    cosched_lib_test(test_${noun})
endforeach()
