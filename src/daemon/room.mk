# vipsecd
