# Unit tests, one block a room. A test program is its name in UNIT_TESTS, its sources,
# and $(unit_ldadd); one that needs flags of its own adds PROGRAM_CPPFLAGS. `make check`
# runs all of them.
EXTRA_DIST += tests/unit/unit.h

# --- base
UNIT_TESTS += tests/unit/test_base_addr
tests_unit_test_base_addr_SOURCES = tests/unit/test_base_addr.c
tests_unit_test_base_addr_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_base_identity
tests_unit_test_base_identity_SOURCES = tests/unit/test_base_identity.c
tests_unit_test_base_identity_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_base_map
tests_unit_test_base_map_SOURCES = tests/unit/test_base_map.c
tests_unit_test_base_map_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_base_misc
tests_unit_test_base_misc_SOURCES = tests/unit/test_base_misc.c
tests_unit_test_base_misc_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_base_ts
tests_unit_test_base_ts_SOURCES = tests/unit/test_base_ts.c
tests_unit_test_base_ts_LDADD = $(unit_ldadd)

