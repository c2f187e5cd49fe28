/* port/room.c - keeps the archive from being empty until the first file lands. */
extern const char room_port_name[];
const char room_port_name[] = "port";
