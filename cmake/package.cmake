# cpack -G DEB, or the target "package": one package with all that `cmake --install` installs. dpkg-shlibdeps finds what it
# depends on, so it fits the distribution it is made on.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "atrous maintainers <root@localhost>" CACHE STRING "Maintainer of the package, as NAME <ADDRESS>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "python3, python3-numpy")  # of share/atrous/tools/import
include(CPack)
