/* A frame above the limit: config/cmake/flags.cmake must refuse it (lint_frames_can_fail). */
void frame_probe(void (*use)(char *));

void frame_probe(void (*use)(char *))
{
    char frame[4096 + 64];
    use(frame);
}
