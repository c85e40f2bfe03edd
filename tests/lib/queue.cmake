# Unit tests of queue/ and of the timing wheel.
foreach(noun deque injector inbox parker preempted wait wheel)
    cosched_lib_test(test_${noun})
endforeach()
