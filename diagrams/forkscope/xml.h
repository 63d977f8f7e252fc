/* xml.h - text inside SVG and Graphviz HTML labels. */
#ifndef FORKSCOPE_XML_H
#define FORKSCOPE_XML_H

#include <stdio.h>

/* Write `text` with & < > and " replaced by their entities. */
void xml_escape(FILE *out, const char *text);

#endif
