/* config/grammar.y - words into statements and blocks.
 *
 * Deliberately small: it knows `words ;` and `words { statements }`. After an error it
 * goes on behind the next `;`, or behind the `}` that closes the block, so that one
 * mistake costs one message. The very last statement needs no `;`. Left to others: every
 * meaning.
 */
%code requires {
#include "config/tree_parts.h"
}

%define api.pure full
%define api.prefix {config_yy}
%define api.location.type {struct place}
%define parse.error custom
%locations
%param {void *scanner}
%parse-param {struct tree *tree}

%code top {
/* What bison writes converts freely; only its own code is excused. */
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wundef"
}

%code {
/* A rule begins where its first part begins. */
#define YYLLOC_DEFAULT(current, rhs, n)                                                   \
	((current) = (n) > 0 ? YYRHSLOC(rhs, 1) : YYRHSLOC(rhs, 0))

int config_yylex(CONFIG_YYSTYPE *value, CONFIG_YYLTYPE *at, void *scanner);
static void config_yyerror(
	CONFIG_YYLTYPE *at, void *scanner, struct tree *tree, const char *text);

static void add_word(struct words *list, struct word *w, bool comma)
{
	w->comma = comma;
	list->last->next = w;
	list->last = w;
}

/* Either may be empty. */
static void add_stmts(struct stmts *list, const struct stmts *more)
{
	if (more->first == NULL)
		return;
	if (list->last == NULL)
		list->first = more->first;
	else
		list->last->next = more->first;
	list->last = more->last;
}
}

%union {
	struct word *word;
	struct words words;
	struct stmt *stmt;
	struct stmts stmts;
}

%token <word> WORD "a word"
%token OPEN "{" CLOSE "}" END ";" COMMA ","
%type <words> words
%type <stmt> stmt
%type <stmts> file level stmts body

%%

all:
	file			{ tree->top = $1.first; }
	;

file:
	level
	| file "}" level	{ errors_add(tree->errors, @2,
					"unexpected \"}\": no block is open here");
				  $$ = $1; add_stmts(&$$, &$3); }
	;

level:
	stmts
	| stmts words		{ struct stmt *last = tree_stmt(tree, $2, @2);
				  $$ = $1; add_stmts(&$$, &(struct stmts){last, last}); }
	| stmts error
	;

stmts:
	%empty			{ $$ = (struct stmts){NULL, NULL}; }
	| stmts stmt		{ $$ = $1; add_stmts(&$$, &(struct stmts){$2, $2}); }
	| stmts ";"
	;

stmt:
	words ";"		{ $$ = tree_stmt(tree, $1, @2); }
	| words open body	{ $$ = tree_stmt(tree, $1, @2);
				  $$->block = true;
				  $$->body = $3.first;
				  tree_leave(tree); }
	| error ";"		{ $$ = NULL; yyerrok; }
	;

open:
	"{"			{ if (!tree_enter(tree, @1)) YYABORT; }
	;

body:
	stmts "}"
	| stmts error "}"	{ yyerrok; }
	;

words:
	WORD			{ $$ = (struct words){$1, $1}; }
	| words WORD		{ $$ = $1; add_word(&$$, $2, false); }
	| words "," WORD	{ $$ = $1; add_word(&$$, $3, true); }
	;

%%

static bool expects(const yypcontext_t *at, yysymbol_kind_t wanted)
{
	yysymbol_kind_t list[YYNTOKENS];
	int n = yypcontext_expected_tokens(at, list, YYNTOKENS);

	for (int i = 0; i < n; i++) {
		if (list[i] == wanted)
			return true;
	}
	return false;
}

static int yyreport_syntax_error(
	const yypcontext_t *at, void *scanner, struct tree *tree)
{
	yysymbol_kind_t got = yypcontext_token(at);
	struct place place = *yypcontext_location(at);

	(void)scanner;
	if (got == YYSYMBOL_YYEOF && tree->depth > 0)
		errors_add(tree->errors, place,
			"the file ends inside the block that line %u opens: expected \"}\"",
			tree->opened[tree->depth - 1].line);
	else if (got == YYSYMBOL_YYEOF)
		errors_add(tree->errors, place, "the file ends inside a list");
	else if (expects(at, YYSYMBOL_END))
		errors_add(tree->errors, place, "expected \";\" before \"%s\"",
			yysymbol_name(got));
	else
		errors_add(tree->errors, place, "unexpected \"%s\"", yysymbol_name(got));
	return 0;
}

static void config_yyerror(
	CONFIG_YYLTYPE *at, void *scanner, struct tree *tree, const char *text)
{
	(void)scanner;
	errors_add(tree->errors, *at, "%s", text);
}
