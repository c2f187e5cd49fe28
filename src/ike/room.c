/* ike/room.c - keeps the archive from being empty until the first file lands. */
extern const char room_ike_name[];
const char room_ike_name[] = "ike";
