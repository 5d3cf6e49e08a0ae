// The `highwater` program: the command line over the simulated world.

#include <cstdio>

#include "scenarios/command_line.h"
#include "scenarios/world/simulated_seed_runner.h"
#include "scenarios/zoo/mutants.h"

int main(int argc, char** argv) {
  highwater::scenarios::Harness harness = highwater::scenarios::MakeSimulatedHarness();
  harness.zoo = highwater::scenarios::PlantedDefects();
  return highwater::scenarios::RunCommandLine(argc, argv, harness, stdout, stderr);
}
