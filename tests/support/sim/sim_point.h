/* Choice points: what base/atomic.h and the replaced system calls tell the simulator. */
#ifndef SIM_POINT_H
#define SIM_POINT_H
#include <stdbool.h>

enum sim_kind { SIM_LOAD, SIM_STORE, SIM_RMW, SIM_FENCE, SIM_RELAX, SIM_SYSTEM, SIM_KINDS };

extern bool sim_fine; /* relaxed loads are choice points, too */

/* The calling virtual thread is about to do something that others see: another may go on first. `where` is for pictures of a
 * schedule only. Outside a simulation: nothing. */
void sim_point(enum sim_kind kind, const char *where);
#endif
