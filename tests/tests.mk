# Every kind of test adds its own fragment.
include tests/unit/unit.mk
include tests/fuzz/fuzz.mk
include tests/sim/sim.mk
