# One file a source of lib/src/io; test_io_source.c stands for watch.c, too, which never works without it.
foreach(name source stream listener poll signals child tcp resolve file udp passing changes pipe tty process connect random names)
    cosched_lib_test(test_io_${name})
endforeach()
