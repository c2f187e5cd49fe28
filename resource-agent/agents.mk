# The agents find what they share beside them; the dot keeps it out of `crm ra list`.
ocf_SCRIPTS = resource-agent/daemon resource-agent/vip
nodist_ocf_DATA = resource-agent/.vipsec-common.sh
EXTRA_DIST += resource-agent/daemon.in resource-agent/vip.in resource-agent/common.sh
CLEANFILES += resource-agent/daemon resource-agent/vip resource-agent/.vipsec-common.sh

agent_edit = sed -e 's,@ocfdir[@],$(ocfdir),g' -e 's,@sysconfdir[@],$(sysconfdir),g' \
	-e 's,@sbindir[@],$(sbindir),g' -e 's,@localstatedir[@],$(localstatedir),g'

resource-agent/daemon resource-agent/vip: Makefile
	$(AM_V_GEN)$(MKDIR_P) resource-agent && \
	$(agent_edit) $(srcdir)/$@.in >$@.tmp && chmod 755 $@.tmp && mv $@.tmp $@
resource-agent/daemon: resource-agent/daemon.in
resource-agent/vip: resource-agent/vip.in
resource-agent/.vipsec-common.sh: resource-agent/common.sh
	$(AM_V_GEN)$(MKDIR_P) resource-agent && cp $(srcdir)/resource-agent/common.sh $@
