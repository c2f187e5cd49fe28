/* config/room.c - keeps the archive from being empty until the first file lands. */
extern const char room_config_name[];
const char room_config_name[] = "config";
