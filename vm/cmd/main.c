/*
** main.c: the program `greenlua`, which is the command and nothing else.
*/

#include "cmd/cli.h"

int main(int argc, char **argv)
{
  return greenlua_cli(argc, argv);
}
