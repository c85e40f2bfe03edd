/* Who holds a lock, read from a copy of it (as many bytes as the public type has) that was taken while others go on: for who
 * looks in. The index of the task that everybody in line waits for; 0: none, or it is not known. */
#ifndef COS_SYNC_HOLDER_H
#define COS_SYNC_HOLDER_H
#include <stdint.h>

uint32_t cos_mutex_holder(const void *copy);
uint32_t cos_rwlock_holder(const void *copy); /* a writer; of readers there is only the number */
uint32_t cos_once_holder(const void *copy);
#endif
