/* wire/room.c - keeps the archive from being empty until the first file lands. */
extern const char room_wire_name[];
const char room_wire_name[] = "wire";
