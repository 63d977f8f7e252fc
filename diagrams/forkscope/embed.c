/* embed.c - the files of page/ inside the program, so that it needs none of them where it runs. */
#include "page.h"

/* The assembler reads the file, from the directory that make runs in; a 0 ends the text. */
#define EMBED(name, file)                                                                          \
    __asm__(".pushsection .rodata\n"                                                               \
            ".globl " #name "\n" #name ":\n"                                                       \
            ".incbin \"diagrams/forkscope/page/" file "\"\n"                                       \
            ".byte 0\n"                                                                            \
            ".popsection")

EMBED(page_html, "page.html");
EMBED(page_css, "page.css");
EMBED(page_js, "page.js");
