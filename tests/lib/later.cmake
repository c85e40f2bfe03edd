# Tokens, the policies of groups, and waiting for any of several tasks.
foreach(name later token group_policy supervise await_any)
    cosched_lib_test(test_${name})
endforeach()
