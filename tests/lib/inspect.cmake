# Eyes: what looks into a running system (lib/src/inspect).
foreach(name latency outside_inspect tasks_seen tasks_chain tasks_storm tasks_stuck dump)
    cosched_lib_test(test_${name})
    set_property(TEST test_${name} APPEND PROPERTY LABELS inspect)
endforeach()
