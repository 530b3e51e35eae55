/* Between the fault points of the host and the import that guests reach theirs by. */
#ifndef RB_TESTS_FAULTS_FAULT_HOST_H
#define RB_TESTS_FAULTS_FAULT_HOST_H

/* enum rb_fault_answer, for any number. */
int rb_fault_answer_of(int point);

#endif
