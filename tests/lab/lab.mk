# The laboratory: its helper programs. The labs themselves are Python, run from the
# source tree by tests/run.
noinst_PROGRAMS += \
	tests/lab/tools/vlab-ns \
	tests/lab/tools/vlab-echo \
	tests/lab/tools/vlab-probe \
	tests/lab/tools/vlab-tap \
	tests/lab/tools/fence_vlab
tests_lab_tools_vlab_ns_SOURCES = tests/lab/tools/ns.c
tests_lab_tools_vlab_echo_SOURCES = tests/lab/tools/echo.c tests/lab/tools/probe.h
tests_lab_tools_vlab_probe_SOURCES = tests/lab/tools/probe.c tests/lab/tools/probe.h
tests_lab_tools_vlab_tap_SOURCES = tests/lab/tools/tap.c
tests_lab_tools_fence_vlab_SOURCES = tests/lab/tools/fence.c
