# The laboratory: its helper programs. The labs themselves are Python, run from the
# source tree by tests/run.
noinst_PROGRAMS += \
	tests/lab/tools/vlab-ns \
	tests/lab/tools/vlab-echo \
	tests/lab/tools/vlab-probe \
	tests/lab/tools/vlab-tap \
	tests/lab/tools/vlab-full.so \
	tests/lab/tools/fence_vlab
# The lab itself is never instrumented, only what it tests: a sanitizer's leak check cannot
# follow a program into another pid namespace, and waits for ever.
lab_cflags = $(WARN_CFLAGS) $(HARDEN_CFLAGS)
tests_lab_tools_vlab_ns_SOURCES = tests/lab/tools/ns.c
tests_lab_tools_vlab_ns_CFLAGS = $(lab_cflags)
tests_lab_tools_vlab_ns_LDFLAGS = $(HARDEN_LDFLAGS)
tests_lab_tools_vlab_echo_SOURCES = tests/lab/tools/echo.c tests/lab/tools/probe.h
tests_lab_tools_vlab_echo_CFLAGS = $(lab_cflags)
tests_lab_tools_vlab_echo_LDFLAGS = $(HARDEN_LDFLAGS)
tests_lab_tools_vlab_probe_SOURCES = tests/lab/tools/probe.c tests/lab/tools/probe.h
tests_lab_tools_vlab_probe_CFLAGS = $(lab_cflags)
tests_lab_tools_vlab_probe_LDFLAGS = $(HARDEN_LDFLAGS)
tests_lab_tools_vlab_tap_SOURCES = tests/lab/tools/tap.c
tests_lab_tools_vlab_tap_CFLAGS = $(lab_cflags)
tests_lab_tools_vlab_tap_LDFLAGS = $(HARDEN_LDFLAGS)
# To be loaded into a program under test, and so a library.
tests_lab_tools_vlab_full_so_SOURCES = tests/lab/tools/full.c
tests_lab_tools_vlab_full_so_CFLAGS = $(lab_cflags) -fPIC
tests_lab_tools_vlab_full_so_LDFLAGS = -shared
tests_lab_tools_fence_vlab_SOURCES = tests/lab/tools/fence.c
tests_lab_tools_fence_vlab_CFLAGS = $(lab_cflags)
tests_lab_tools_fence_vlab_LDFLAGS = $(HARDEN_LDFLAGS)
EXTRA_DIST += \
	tests/lab/README.md \
	tests/lab/demo \
	tests/lab/k-cluster.py \
	tests/lab/k-differential.py \
	tests/lab/k-peers.py \
	tests/lab/k-strongswan-ah.py \
	tests/lab/k-tables.py \
	tests/lab/t-agents-states.py \
	tests/lab/t-ah.py \
	tests/lab/t-daemon-control.py \
	tests/lab/t-daemon-schema.py \
	tests/lab/t-daemon-start.py \
	tests/lab/t-any.py \
	tests/lab/t-certs-end.py \
	tests/lab/t-certs.py \
	tests/lab/t-families.py \
	tests/lab/t-rekey-strongswan.py \
	tests/lab/t-flood.py \
	tests/lab/t-fragments.py \
	tests/lab/t-hundred.py \
	tests/lab/t-memcheck.py \
	tests/lab/memcheck.supp \
	tests/lab/t-decrypt.py \
	tests/lab/t-hung-thread.py \
	tests/lab/t-integrity-only.py \
	tests/lab/t-lacking.py \
	tests/lab/t-steering.py \
	tests/lab/t-doctor.py \
	tests/lab/t-early.py \
	tests/lab/t-documents.py \
	tests/lab/t-key-exchanges.py \
	tests/lab/t-knob.py \
	tests/lab/t-lock.py \
	tests/lab/t-lab.py \
	tests/lab/t-mobike.py \
	tests/lab/t-moves.py \
	tests/lab/t-names.py \
	tests/lab/t-nat.py \
	tests/lab/t-nat-shared.py \
	tests/lab/t-options.py \
	tests/lab/t-pair.py \
	tests/lab/t-plane-paths.py \
	tests/lab/t-plane.py \
	tests/lab/t-refusals.py \
	tests/lab/t-strongswan.py \
	tests/lab/t-strongswan-cbc.py \
	tests/lab/t-strongswan-childless.py \
	tests/lab/t-strongswan-ppk.py \
	tests/lab/t-strongswan-redirect.py \
	tests/lab/t-unit.py \
	tests/lab/t-unrouted.py \
	tests/lab/t-vm.py \
	tests/lab/t-watch.py \
	tests/lab/vlab/__init__.py \
	tests/lab/vlab/addrwatch.py \
	tests/lab/vlab/arrivals.py \
	tests/lab/vlab/byhand.py \
	tests/lab/vlab/capture.py \
	tests/lab/vlab/cib.py \
	tests/lab/vlab/cluster.py \
	tests/lab/vlab/compared.py \
	tests/lab/vlab/core.py \
	tests/lab/vlab/dns.py \
	tests/lab/vlab/drawn.py \
	tests/lab/vlab/esp.py \
	tests/lab/vlab/events.py \
	tests/lab/vlab/freeze.py \
	tests/lab/vlab/inbound.py \
	tests/lab/vlab/ippacket.py \
	tests/lab/vlab/kernel.py \
	tests/lab/vlab/lawful.py \
	tests/lab/vlab/machine.py \
	tests/lab/vlab/net.py \
	tests/lab/vlab/pair.py \
	tests/lab/vlab/power.py \
	tests/lab/vlab/probes.py \
	tests/lab/vlab/rekeying.py \
	tests/lab/vlab/report.py \
	tests/lab/vlab/scene.py \
	tests/lab/vlab/shut.py \
	tests/lab/vlab/sent.py \
	tests/lab/vlab/sockets.py \
	tests/lab/vlab/swan.py \
	tests/lab/vlab/tap.py \
	tests/lab/vlab/vipsec.py \
	tests/lab/vlab/wire.py \
	tests/lab/vlab/worlds.py \
	tests/lab/vlab/xfrm.py \
	tests/cluster/t-agents.py \
	tests/cluster/t-bare-vip.py \
	tests/cluster/t-corosync.py \
	tests/cluster/t-doctor.py \
	tests/cluster/t-failover.py \
	tests/cluster/t-readme.py \
	tests/cluster/t-recipe.py \
	tests/cluster/t-split.py \
	tests/cluster/t-ipv6.py \
	tests/cluster/t-stop.py \
	tests/cluster/t-strongswan.py \
	tests/cluster/t-ten-moves.py

# A plane without IKE, for the tests of plane/ and port/ alone.
noinst_PROGRAMS += tests/lab/tools/vlab-plane
tests_lab_tools_vlab_plane_SOURCES = tests/lab/tools/plane.c \
	tests/lab/tools/plane_words.c tests/lab/tools/plane_words.h
tests_lab_tools_vlab_plane_LDADD = src/xfrm/libvipsec_xfrm.a src/plane/libvipsec_plane.a src/port/libvipsec_port.a \
	$(outer_ldadd) $(NL_LIBS) $(NFTABLES_LIBS) $(QB_LIBS) $(COROSYNC_LIBS) -lpthread

# The control socket kept open, for tests that ask often where a process start is slow.
noinst_PROGRAMS += tests/lab/tools/vlab-ctl
tests_lab_tools_vlab_ctl_SOURCES = tests/lab/tools/ctl.c
tests_lab_tools_vlab_ctl_CFLAGS = $(lab_cflags) $(QB_CFLAGS)
tests_lab_tools_vlab_ctl_LDFLAGS = $(HARDEN_LDFLAGS)
tests_lab_tools_vlab_ctl_LDADD = $(QB_LIBS)
