# man pages and documents
dist_man_MANS = docs/man/vipsecd.8 docs/man/vipsec.8
