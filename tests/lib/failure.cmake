# Tests of how things end: hooks, panics, clean-ups, shutdown.
foreach(noun hooks panic defer locals survivors look stack_marks)
    cosched_lib_test(test_${noun})
endforeach()
