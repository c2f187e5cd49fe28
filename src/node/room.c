/* node/room.c - keeps the archive from being empty until the first file lands. */
extern const char room_node_name[];
const char room_node_name[] = "node";
