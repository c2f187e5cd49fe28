# man pages and documents
dist_man_MANS = docs/man/vipsecd.8 docs/man/vipsec.8 docs/man/vipsec.conf.5
dist_doc_DATA = docs/vipsec.conf.example docs/ARCHITECTURE.md docs/FAILOVER.md
