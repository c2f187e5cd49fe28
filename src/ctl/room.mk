# vipsec
