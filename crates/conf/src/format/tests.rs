//! Each rule of the layout by itself.

use super::{format, same_meaning};

#[track_caller]
fn expect(text: &str, laid_out: &str) {
    let result = format(text.as_bytes());
    assert_eq!(String::from_utf8_lossy(&result), laid_out);
    assert_eq!(format(&result), result, "a second time changes nothing");
    assert!(same_meaning(text.as_bytes(), &result), "it means the same");
}

#[track_caller]
fn stays(text: &str) {
    expect(text, text);
}

#[test]
fn blocks_are_indented_by_four_blanks_and_words_parted_by_one() {
    expect(
        "vrrp_instance   V{\n\tstate\tBACKUP \n  track_script {\nchk  weight  -5\n}\n }",
        "vrrp_instance V {\n    state BACKUP\n    track_script {\n        chk weight -5\n    }\n}\n",
    );
}

#[test]
fn blocks_in_one_line_are_broken_at_their_braces() {
    expect("a { b { c 1 } d }\n", "a {\n    b {\n        c 1\n    }\n    d\n}\n");
    expect("a {}\n", "a {\n}\n");
    expect("a { b\n} c\n", "a {\n    b\n}\n\nc\n");
}

#[test]
fn a_brace_below_its_keyword_moves_up() {
    expect("a b\n{\n c\n}\n", "a b {\n    c\n}\n");
    expect("a b\n\n{ c }\n", "a b {\n    c\n}\n");
    expect("a  # why\n{\n}\n", "a {  # why\n}\n");
    expect("a\n{ # why\n}\n", "a {  # why\n}\n");
}

#[test]
fn a_brace_stays_below_where_moving_it_would_move_a_comment_or_a_meaning() {
    stays("a  # one\n{  # two\n}\n");
    stays("a\n# between\n{\n}\n");
    stays("include\n{\n}\n");
    stays("a $B\n{\n}\n");
    stays("@x a\n{\n}\n");
    stays("a#b\n{\n}\n");
    stays("include x.conf\n{\n}\n");
}

#[test]
fn surplus_words_and_the_text_of_words_are_kept() {
    expect("a 1   b 2\n", "a 1 b 2\n");
    stays("script \"/x  a {  # }\" \"\"\n");
    stays("script '/x  a {  # }'\n");
    stays("a\"b\"c\n");
}

#[test]
fn blank_lines_part_blocks_and_never_pile_up() {
    expect("\n\na\n\n\n\nb {\n\n c\n\n\n d\n\n}\n\n\n", "a\n\nb {\n    c\n\n    d\n}\n");
    expect("a {\n}\n# on b\nb {\n}\n", "a {\n}\n\n# on b\nb {\n}\n");
    expect("a {\n b {\n }\n c\n}\n", "a {\n    b {\n    }\n    c\n}\n");
    expect("\n \n", "");
    expect("", "");
}

#[test]
fn comments_keep_their_text_and_their_statement() {
    expect(
        "#  top\na{ # on a\n#\tinner \n b#\n b #c\n  ! other\n} # end\n",
        "#  top\na {  # on a\n    #\tinner\n    b#\n    b  #c\n    ! other\n}  # end\n",
    );
    expect("a { b 1 } # all\n", "a {\n    b 1\n}  # all\n");
}

#[test]
fn a_comment_that_begins_inside_a_word_stays_visible_as_a_mistake() {
    stays("auth_pass ab#cd\n");
    expect("a {#b\n}#c\n", "a {  #b\n}  #c\n");
}

#[test]
fn a_line_with_a_condition_stays_one_line() {
    stays("@main track_script { x  y }\n");
    expect("a {\n@^b c   { d }\n}\n", "a {\n    @^b c   { d }\n}\n");
}

#[test]
fn of_alternatives_one_brace_counts() {
    stays("@a vrrp_instance A {\n@b vrrp_instance B {\n    state BACKUP\n}\n\nc\n");
    stays("@a x {\n    @a y\n@a }\n@b z {\n@b }\nc\n");
}

#[test]
fn a_loop_stays_one_line() {
    stays("~SEQ(i, 3) a $i { b  c }\n");
    stays("~LST({a,b},{1,2},{3}) x  $a { $b }\n");
    expect("~LST({a},{1}) x {\ny\n}\n", "~LST({a},{1}) x {\n    y\n}\n");
}

#[test]
fn an_include_keeps_its_pattern() {
    stays("include  a  b{c,d}.conf\ne\n");
    expect("a {\ninclude { \n}\n", "a {\n    include {\n}\n");
}

#[test]
fn words_that_would_begin_to_mean_something_at_the_start_of_a_line_stay_inside() {
    stays("a { include b }\n");
    stays("a { @b c }\n");
    stays("a { ~SEQ(i,2) b }\n");
    stays("include{ b }\n");
}

#[test]
fn a_definition_is_kept_with_all_its_lines() {
    stays("$A=a  {\\\n\tb  c \\\n# remark\n  d { e }\\\n\nf\n");
    expect("a {\n$B=1  2\n}\n", "a {\n    $B=1  2\n}\n");
    stays("@x $A=a \\\n  b  c\n\nd\n");
    expect("$A=a {\\\n\n\n\n}\n", "$A=a {\\\n\n}\n");
    expect("$A=a {\\\n\n\n\nb\n", "$A=a {\\\n\nb\n");
    expect("$A=a \\\n\n\n", "$A=a \\\n");
}

#[test]
fn a_line_with_a_reference_is_not_broken_and_not_touched_behind_it() {
    expect("a   b $C  d  {  \n  e\n}\n", "a b $C  d  {\n    e\n}\n");
    stays("a { b ${C} }\n");
    expect("script \"/x $1\"   b { c }\n", "script \"/x $1\" b {\n    c\n}\n");
}

#[test]
fn a_line_with_an_open_quote_stays_one_line() {
    expect("a {\n b   { \"c  # d } \n}\n}\n", "a {\n    b   { \"c  # d }\n    }\n}\n");
}

#[test]
fn braces_that_do_not_balance_are_laid_out_as_far_as_they_go() {
    expect("}\n} }\na\n", "}\n}\n}\na\n");
    expect("a {\nb {\nc\n", "a {\n    b {\n        c\n");
    expect("{ a } { b }\n", "{\n    a\n}\n\n{\n    b\n}\n");
}

#[test]
fn line_ends_and_the_byte_order_mark_are_made_plain() {
    expect("\u{feff}a {\r\n\tb  # c\r\n}\r\n", "a {\n    b  # c\n}\n");
    expect("\u{feff}\u{feff}a\n", "\u{feff}\u{feff}a\n");
}

#[test]
fn bytes_that_are_no_utf_8_and_skipped_lines_are_kept() {
    assert_eq!(format(b"a \xff\xfe  b # \xe4\n"), b"a \xff\xfe b  # \xe4\n");
    stays("a {\n  b  \0 }\n}\n");
}

#[test]
fn no_line_grows_beyond_what_keepalived_reads_and_none_that_it_skips_shrinks() {
    let long = |count| "x".repeat(count);
    stays(&format!("a {{\n  {}\n}}\n", long(1020)));
    stays(&format!("{}\n{{\n}}\n", long(1022)));
    stays(&format!("{}{{\n}}\n", long(1022)));
    stays(&format!("  a   {} # b \t\n", long(1020)));
    stays(&format!("  a   {}b\n", " ".repeat(1020)));
    expect(&format!("a {{\n{}\n}}\n", long(1017)), &format!("a {{\n    {}\n}}\n", long(1017)));
}

#[test]
fn deep_blocks_do_not_run_off_to_the_right() {
    let text = "a {\n".repeat(300) + &"}\n".repeat(300);
    let laid_out = String::from_utf8(format(text.as_bytes())).expect("text");
    assert_eq!(laid_out.lines().map(str::len).max(), Some(16 * 4 + "a {".len()));
    assert!(same_meaning(text.as_bytes(), laid_out.as_bytes()));
}

#[test]
fn texts_that_mean_different_things_are_told_apart() {
    let differs = |a: &str, b: &str| !same_meaning(a.as_bytes(), b.as_bytes());
    assert!(differs("a b\n", "a c\n"));
    assert!(differs("a b\n", "a \"b\"\n"));
    assert!(differs("a\nb\n", "a b\n"));
    assert!(differs("a {\n}\n", "a {\n"));
    assert!(differs("@x a\n", "@x b\n"), "for the host x");
    assert!(!differs("a { b } # c\n", "a {\n b\n}\n"));
}
