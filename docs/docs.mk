# man pages and documents
dist_man_MANS = docs/man/vipsecd.8 docs/man/vipsec.8 docs/man/vipsec.conf.5 \
	docs/man/ocf_vipsec_daemon.7 docs/man/ocf_vipsec_vip.7
dist_doc_DATA = docs/vipsec.conf.example docs/ARCHITECTURE.md docs/FAILOVER.md \
	docs/PLANES.md docs/PROTOCOL.md docs/RFC.md docs/SECURITY.md
