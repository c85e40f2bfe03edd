#include "run.h"

SCENARIO(nothing)
{
}
RUN_MAIN("x", EACH(nothing))
