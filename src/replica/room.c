/* replica/room.c - keeps the archive from being empty until the first file lands. */
extern const char room_replica_name[];
const char room_replica_name[] = "replica";
