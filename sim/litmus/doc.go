// Package litmus reads and runs small concurrent programs that are written as
// tables, one column per task and one row per operation, in the manner of the
// litmus tests of the literature on memory models (Alglave, Maranget and
// Tautschnig, "Herding Cats", TOPLAS 2014):
//
//	# store buffering
//	x = 0; y = 0;
//	x = 1    | y = 1
//	r0 = y   | r0 = x
//	exists (0:r0 = 0 /\ 1:r0 = 0)
//
// # Grammar
//
// A line ends what stands on it, except in a condition. Blanks separate, and '#'
// begins a comment that goes to the end of the line.
//
//	program   = { initials } , row , { row } , [ condition ] ;
//	initials  = initial , { initial } , newline ;
//	initial   = variable , "=" , constant , ";" ;
//	row       = [ cell ] , { "|" , [ cell ] } , newline ;
//	cell      = variable , "=" , sum                              (* one write *)
//	          | register , "=" , variable                         (* one read *)
//	          | register , "=" , sum                              (* no event *)
//	          | register , "=" , "faa" , variable , value         (* fetch and add *)
//	          | register , "=" , "cas" , variable , value , value (* old, new *)
//	          | register , "=" , "trylock" , mutex
//	          | "lock" , mutex
//	          | "unlock" , mutex ;
//	sum       = term , { ( "+" | "-" ) , term } ;
//	term      = constant | [ "-" ] , register ;
//	value     = constant | register ;
//	condition = ( "exists" | "forall" | "~" , "exists" ) , or ;
//	or        = and , { "\/" , and } ;
//	and       = not , { "/\" , not } ;
//	not       = "~" , not | "(" , or , ")" | atom ;
//	atom      = place , ( "=" | "!=" ) , constant ;
//	place     = task , ":" , register | variable | "[" , variable , "]" ;
//	register  = "r" , digit , { digit } ;
//	constant  = [ "-" ] , digit , { digit } ;
//	task      = digit , { digit } ;
//
// Variables and mutexes are named by ASCII letters, digits and '_', not beginning
// with a digit. A name cannot be a variable and a mutex, a register or one of the
// words lock, unlock, trylock, faa, cas, exists, forall. An empty line is not a row;
// one with nothing but "|" is. There are as many tasks as the widest row has cells,
// numbered from 0; a task need not have operations. A condition can name what the
// program names, and registers that their task assigns.
//
// # Meaning
//
// Every cell is one event, taken atomically, except for a computation with
// registers and constants alone, which is none. So a write cannot have a variable on
// its right side, and a read nothing but a variable: both would be two events in one
// cell.
//
// Variables are 0 if they are not given another value, and registers are 0 at first.
// Numbers have 64 bits and wrap around. faa and cas give the value from before; cas
// and trylock are reads if they fail, and writes otherwise. trylock gives 1 if it took
// the mutex and 0 if somebody has it, be it the same task. To unlock a mutex that the
// task does not hold is a failure of the program, of kind misuse. A task may end
// without unlocking.
//
// A final state has the values of all variables and of the registers that are assigned
// somewhere, after all tasks have ended. "exists" is true if the condition holds in
// some final state, "~exists" if it holds in none, "forall" if it holds in each. An
// execution that deadlocks has no final state.
//
// # Left out
//
// Branches and loops, so that every program ends; weak memory, see package sim.
package litmus
