/* story.h - a scenario retold for people, while it is played. */
#ifndef FORKSCOPE_STORY_H
#define FORKSCOPE_STORY_H

#include "scenario.h"

#include <stdio.h>

/*
 * Say in one line what is about to happen; what a scenario says for the reader is
 * wrapped to 78 columns. Actions without an effect of their own print nothing.
 */
void story_tell(FILE *story, const struct action *action);

#endif
