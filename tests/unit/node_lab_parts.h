/* tests/unit/node_lab_parts.h - what the files of the laboratory share. */
#ifndef VIPSEC_TESTS_NODE_LAB_PARTS_H
#define VIPSEC_TESTS_NODE_LAB_PARTS_H

#include "node_lab.h"

void lab_compact(struct lab *l); /* drops what was delivered */
bool lab_has_socket(const struct lab_node *m, const struct addr *a);
struct lab_child *lab_child_by_id(struct lab_node *m, uint32_t id);

#endif
