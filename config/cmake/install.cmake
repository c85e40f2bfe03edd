# What "cmake --install" puts where. Included last: it installs the targets of every folder.
include(CMakePackageConfigHelpers)

# Relative to the prefix, so that "cmake --install --prefix" and DESTDIR move them along.
set(COSCHED_SYSTEMD_DIR lib/systemd CACHE STRING "Units go to system/ and user/ below this folder")
set(COSCHED_SYSUSERS_DIR lib/sysusers.d CACHE STRING "sysusers.d folder")
set(COSCHED_TMPFILES_DIR lib/tmpfiles.d CACHE STRING "tmpfiles.d folder")

install(TARGETS cosched_shared cosched_static EXPORT coschedTargets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY lib/include/cosched DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/cosched)
install(EXPORT coschedTargets NAMESPACE cosched:: DESTINATION ${package_dir})
configure_package_config_file(config/cmake/coschedConfig.cmake.in ${PROJECT_BINARY_DIR}/coschedConfig.cmake
    INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/coschedConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/coschedConfig.cmake ${PROJECT_BINARY_DIR}/coschedConfigVersion.cmake
    DESTINATION ${package_dir})

# The gdb script, where gdb looks for it by the name of what it has loaded (below /usr; elsewhere it is told to), and once
# more under a name of its own for programs that hold the static library. The prefix is the one of the installation.
set(COSCHED_AUTO_LOAD "${CMAKE_INSTALL_DATADIR}/gdb/auto-load")
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
    set(auto_load_lib "${COSCHED_AUTO_LOAD}${CMAKE_INSTALL_LIBDIR}")
else()
    set(auto_load_lib "${COSCHED_AUTO_LOAD}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}")
endif()
install(FILES lib/gdb/cosched-gdb.py DESTINATION "${auto_load_lib}" RENAME libcosched.so.${PROJECT_VERSION}-gdb.py)
install(FILES lib/gdb/cosched-gdb.py DESTINATION ${CMAKE_INSTALL_DATADIR}/cosched)

# The .pc file finds its prefix from where it lies: a tree installed by DESTDIR or --prefix works in place.
# An absolute folder, as distributions like to pass, is taken as it is.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" OR IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
    set(PC_PREFIX ${CMAKE_INSTALL_PREFIX})
    set(PC_LIBDIR ${CMAKE_INSTALL_FULL_LIBDIR})
    set(PC_INCLUDEDIR ${CMAKE_INSTALL_FULL_INCLUDEDIR})
else()
    file(RELATIVE_PATH up "/p/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/p")
    string(REGEX REPLACE "/$" "" up "${up}")
    set(PC_PREFIX "\${pcfiledir}/${up}")
    set(PC_LIBDIR "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
    set(PC_INCLUDEDIR "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
configure_file(config/cmake/cosched.pc.in ${PROJECT_BINARY_DIR}/cosched.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/cosched.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

if(TARGET coschedd)
    install(TARGETS coschedd RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})
    install(FILES lib/gdb/cosched-gdb.py RENAME coschedd-gdb.py
        DESTINATION "${COSCHED_AUTO_LOAD}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_SBINDIR}")
    if(TARGET cosched-exec) # where the daemon looks for its helper
        install(TARGETS cosched-exec RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/cosched)
    endif()

    set(COSCHEDD ${CMAKE_INSTALL_FULL_SBINDIR}/coschedd)
    foreach(unit coschedd.service coschedd.socket user/coschedd.service user/coschedd.socket)
        configure_file(systemd/${unit}.in ${PROJECT_BINARY_DIR}/systemd/${unit} @ONLY)
    endforeach()
    install(FILES ${PROJECT_BINARY_DIR}/systemd/coschedd.service ${PROJECT_BINARY_DIR}/systemd/coschedd.socket
        DESTINATION ${COSCHED_SYSTEMD_DIR}/system)
    install(FILES ${PROJECT_BINARY_DIR}/systemd/user/coschedd.service
        ${PROJECT_BINARY_DIR}/systemd/user/coschedd.socket DESTINATION ${COSCHED_SYSTEMD_DIR}/user)
    install(FILES systemd/cosched.sysusers DESTINATION ${COSCHED_SYSUSERS_DIR} RENAME cosched.conf)
    install(FILES systemd/cosched.tmpfiles DESTINATION ${COSCHED_TMPFILES_DIR} RENAME cosched.conf)
    # An example to copy, not a file to own: every value in it is the default.
    install(FILES config/coschedd.conf DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
endif()
if(TARGET coschedctl)
    install(TARGETS coschedctl RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(FILES README.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# Man pages: NAME.SECTION.scd beside the program that it describes.
find_program(SCDOC scdoc)
if(SCDOC)
    set(pages)
    set(library_pages)
    foreach(noun "" -blocking -channel -group -inspect -io -runtime -scope -stats -sync -task -token)
        list(APPEND library_pages lib/cosched${noun}.3.scd)
    endforeach()
    foreach(source ${library_pages} lib/cosched-gdb.7.scd daemon/coschedd.8.scd daemon/coschedd.conf.5.scd ctl/coschedctl.1.scd)
        get_filename_component(page ${source} NAME)
        string(REGEX REPLACE "\\.scd$" "" page ${page})
        string(REGEX MATCH "[0-9]$" section ${page})
        set(out ${PROJECT_BINARY_DIR}/man/${page})
        # The date in a page's foot is scdoc's; a half-written page must not survive a failure.
        add_custom_command(OUTPUT ${out} DEPENDS ${source} VERBATIM
            COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/man
            COMMAND sh -c "\"$1\" <\"$2\" >\"$3.tmp\" && mv \"$3.tmp\" \"$3\"" sh
                ${SCDOC} ${PROJECT_SOURCE_DIR}/${source} ${out})
        install(FILES ${out} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
        list(APPEND pages ${out})
    endforeach()
    add_custom_target(man ALL DEPENDS ${pages})

    # Each function of a SYNOPSIS is a page, too: one line that sends man to the page that has it.
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${library_pages})
    set(aliases)
    foreach(source ${library_pages})
        file(READ ${source} text)
        string(REGEX REPLACE ".*\n# SYNOPSIS\n" "" text "${text}")
        string(REGEX REPLACE "\n# DESCRIPTION\n.*" "" text "${text}")
        string(REGEX MATCHALL "cosched_[a-z_0-9]+\\(" names "${text}")
        get_filename_component(page ${source} NAME)
        string(REGEX REPLACE "\\.scd$" "" page ${page})
        foreach(name ${names})
            string(REPLACE "(" "" name ${name})
            file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/man/${name}.3 CONTENT ".so man3/${page}\n")
            list(APPEND aliases ${PROJECT_BINARY_DIR}/man/${name}.3)
        endforeach()
    endforeach()
    install(FILES ${aliases} DESTINATION ${CMAKE_INSTALL_MANDIR}/man3)
else()
    message(STATUS "scdoc not found: no man pages")
endif()
