/* plane/room.c - keeps the archive from being empty until the first file lands. */
extern const char room_plane_name[];
const char room_plane_name[] = "plane";
