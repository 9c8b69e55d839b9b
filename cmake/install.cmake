# Library, headers, command line, configs and models, found by find_package(atrous) and pkg-config; the install can be moved.
include(CMakePackageConfigHelpers)
set(ATROUS_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/atrous)

install(TARGETS atrous EXPORT atrousTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS atrous_image_codec atrous_people_detector atrous_video_codec
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/${ATROUS_PLUGIN_DIR})
install(TARGETS atrous_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES src/api/atrous.h src/api/atrous.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY configs models DESTINATION ${CMAKE_INSTALL_DATADIR}/atrous)
install(DIRECTORY tools/import DESTINATION ${CMAKE_INSTALL_DATADIR}/atrous/tools PATTERN __pycache__ EXCLUDE)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)
install(DIRECTORY src/api/examples DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(EXPORT atrousTargets NAMESPACE atrous:: DESTINATION ${ATROUS_CMAKE_DIR} FILE atrousConfig.cmake)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/atrousConfigVersion.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${PROJECT_BINARY_DIR}/atrousConfigVersion.cmake DESTINATION ${ATROUS_CMAKE_DIR})
file(RELATIVE_PATH ATROUS_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/atrous.pc.in ${PROJECT_BINARY_DIR}/atrous.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/atrous.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
