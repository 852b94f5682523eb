/*
** cli.h: the command `greenlua`: from its arguments to its exit status. Private
** to vm/cmd.
*/
#ifndef GREEN_CLI_H
#define GREEN_CLI_H

/* Parse, run, and give the exit status. Once a process: Ctrl-C is its. */
int greenlua_cli(int argc, char **argv);

#endif
