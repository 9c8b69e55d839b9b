// SPDX-License-Identifier: Apache-2.0
#include "core/parallel.h"

#include <omp.h>
#include <sched.h>

namespace atrous {

int available_cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  return sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 1;
}

int team_size() { return omp_get_max_threads(); }
void set_team_size(int threads) { omp_set_num_threads(threads); }

Alone::Alone() : threads_(team_size()) { set_team_size(1); }
Alone::~Alone() { set_team_size(threads_); }

}  // namespace atrous
