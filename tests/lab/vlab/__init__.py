"""The laboratory: hosts, links, clusters and peers out of namespaces, on one machine.

Everything lives in namespaces that the lab made, and ends with the program that made it,
however that program ends. Nothing in the machine's own network is touched, nothing stays
in its file system, and any number of labs can run side by side.
"""
