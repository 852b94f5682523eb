/*
** main.c: argc and argv to an exit status.
*/

#include "cmd/cli.h"

int main(int argc, char **argv)
{
  return greenlua_cli(argc, argv);
}
