# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_standfast_global_optspecs
    string join \n h/help V/version
end

function __fish_standfast_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_standfast_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_standfast_using_subcommand
    set -l cmd (__fish_standfast_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c standfast -n "__fish_standfast_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c standfast -n "__fish_standfast_needs_command" -s V -l version -d 'Print version'
complete -c standfast -n "__fish_standfast_needs_command" -f -a "run" -d 'Run the daemon in the foreground, with its log on standard error'
complete -c standfast -n "__fish_standfast_needs_command" -f -a "check" -d 'Say what is wrong with a configuration. Needs no rights and no interfaces'
complete -c standfast -n "__fish_standfast_needs_command" -f -a "config" -d 'Show a configuration as it is understood'
complete -c standfast -n "__fish_standfast_needs_command" -f -a "digest" -d 'Show the MD5 of a page, for `digest` in a `url` block'
complete -c standfast -n "__fish_standfast_needs_command" -f -a "fmt" -d 'Lay a configuration out: indentation, blanks, line breaks. Changes no meaning and no comment'
complete -c standfast -n "__fish_standfast_needs_command" -f -a "lsp" -d 'Serve an editor: findings while one types, completion, explanations, definitions, layout'
complete -c standfast -n "__fish_standfast_needs_command" -f -a "pools" -d 'Show virtual servers and their real servers: state, weight, why, and what operators ordered'
complete -c standfast -n "__fish_standfast_needs_command" -f -a "drain" -d 'Give a real server no new connections, and remove it when its last one has ended'
complete -c standfast -n "__fish_standfast_needs_command" -f -a "disable" -d 'Treat a real server as failed, whatever its checks say'
complete -c standfast -n "__fish_standfast_needs_command" -f -a "enable" -d 'Take back what `drain`, `disable` and `server remove` did'
complete -c standfast -n "__fish_standfast_needs_command" -f -a "weight" -d 'Give a real server another weight than the configured one'
complete -c standfast -n "__fish_standfast_needs_command" -f -a "server" -d 'Add and remove real servers at run time'
complete -c standfast -n "__fish_standfast_needs_command" -f -a "reload" -d 'Have the running daemon read its configuration again'
complete -c standfast -n "__fish_standfast_needs_command" -f -a "lab" -d 'Build a cluster on this machine, break it in every way, and show what its users notice'
complete -c standfast -n "__fish_standfast_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c standfast -n "__fish_standfast_using_subcommand run" -s f -l file -d 'Configuration file' -r -F
complete -c standfast -n "__fish_standfast_using_subcommand run" -s i -l config-id -d 'Id for `@id` conditions in the file; the host\'s name by default' -r
complete -c standfast -n "__fish_standfast_using_subcommand run" -s p -l pid -d 'Where the process id goes, held locked against a second copy; else /run/standfast.pid' -r -F
complete -c standfast -n "__fish_standfast_using_subcommand run" -l syslog -d 'Log to syslog as well'
complete -c standfast -n "__fish_standfast_using_subcommand run" -s v -l verbose -d 'Log every detail'
complete -c standfast -n "__fish_standfast_using_subcommand run" -s h -l help -d 'Print help'
complete -c standfast -n "__fish_standfast_using_subcommand check" -s f -l file -d 'The same as FILE' -r -F
complete -c standfast -n "__fish_standfast_using_subcommand check" -l format -d 'How findings are written' -r -f -a "human\t'For people'
json\t'One object a line, as docs/check-json.md says'
sarif\t'SARIF 2.1.0, which code hosts show beside the lines'"
complete -c standfast -n "__fish_standfast_using_subcommand check" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Everywhere'
never\t'Nowhere'"
complete -c standfast -n "__fish_standfast_using_subcommand check" -l explain -d 'Print what a code means, with an example and how to write it right, and check nothing' -r
complete -c standfast -n "__fish_standfast_using_subcommand check" -l root -d 'Look for scripts below this folder instead of `/`' -r -F
complete -c standfast -n "__fish_standfast_using_subcommand check" -s i -l config-id -d 'Id for `@id` conditions; the host\'s name by default' -r
complete -c standfast -n "__fish_standfast_using_subcommand check" -l strict -d 'Fail on warnings too'
complete -c standfast -n "__fish_standfast_using_subcommand check" -l on-this-host -d 'The file is meant for this machine: what its interfaces cannot do is an error'
complete -c standfast -n "__fish_standfast_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c standfast -n "__fish_standfast_using_subcommand config; and not __fish_seen_subcommand_from dump help" -s h -l help -d 'Print help'
complete -c standfast -n "__fish_standfast_using_subcommand config; and not __fish_seen_subcommand_from dump help" -f -a "dump" -d 'Show the configuration as it is understood: every value, every default, and where each comes from, after includes, conditions and definitions. Passwords are masked'
complete -c standfast -n "__fish_standfast_using_subcommand config; and not __fish_seen_subcommand_from dump help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c standfast -n "__fish_standfast_using_subcommand config; and __fish_seen_subcommand_from dump" -s f -l file -d 'Configuration file' -r -F
complete -c standfast -n "__fish_standfast_using_subcommand config; and __fish_seen_subcommand_from dump" -l format -d 'How it is written' -r -f -a "json\t'One JSON document'"
complete -c standfast -n "__fish_standfast_using_subcommand config; and __fish_seen_subcommand_from dump" -s i -l config-id -d 'Id for `@id` conditions; the host\'s name by default' -r
complete -c standfast -n "__fish_standfast_using_subcommand config; and __fish_seen_subcommand_from dump" -l no-defaults -d 'Leave out what the file does not say'
complete -c standfast -n "__fish_standfast_using_subcommand config; and __fish_seen_subcommand_from dump" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c standfast -n "__fish_standfast_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "dump" -d 'Show the configuration as it is understood: every value, every default, and where each comes from, after includes, conditions and definitions. Passwords are masked'
complete -c standfast -n "__fish_standfast_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c standfast -n "__fish_standfast_using_subcommand digest" -l connect -d 'The server that is asked, instead of the one in URL, as `ADDRESS` or `ADDRESS:PORT`' -r
complete -c standfast -n "__fish_standfast_using_subcommand digest" -l host -d 'What the server is told to be called (`virtualhost`), instead of the name in URL' -r
complete -c standfast -n "__fish_standfast_using_subcommand digest" -l protocol -d '`http_protocol` of the check. Pages in chunks have another digest with 1.1 than with 1.0' -r -f -a "1.0\t''
1.0C\t''
1.1\t''
2\t''"
complete -c standfast -n "__fish_standfast_using_subcommand digest" -l timeout -d 'Seconds that are waited' -r
complete -c standfast -n "__fish_standfast_using_subcommand digest" -l any-status -d 'Take a page with any status, not only 200 to 299'
complete -c standfast -n "__fish_standfast_using_subcommand digest" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c standfast -n "__fish_standfast_using_subcommand fmt" -s f -l file -d 'The same as FILE' -r -F
complete -c standfast -n "__fish_standfast_using_subcommand fmt" -l check -d 'Change nothing; list the files that would change and exit with 1 if there are any'
complete -c standfast -n "__fish_standfast_using_subcommand fmt" -s h -l help -d 'Print help'
complete -c standfast -n "__fish_standfast_using_subcommand lsp" -l root -d 'Look for scripts below this folder instead of `/`' -r -F
complete -c standfast -n "__fish_standfast_using_subcommand lsp" -s i -l config-id -d 'Id for `@id` conditions; the host\'s name by default' -r
complete -c standfast -n "__fish_standfast_using_subcommand lsp" -l stdio -d 'Standard input and output, which is all there is; many editors say so'
complete -c standfast -n "__fish_standfast_using_subcommand lsp" -l on-this-host -d 'The files are meant for this machine: what its interfaces cannot do is an error'
complete -c standfast -n "__fish_standfast_using_subcommand lsp" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c standfast -n "__fish_standfast_using_subcommand pools" -l format -d 'How the list is written' -r -f -a "human\t'For people'
json\t'For machines'"
complete -c standfast -n "__fish_standfast_using_subcommand pools" -l socket -d 'The daemon\'s control socket, beside its pid file; else the only one below /run' -r -F
complete -c standfast -n "__fish_standfast_using_subcommand pools" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c standfast -n "__fish_standfast_using_subcommand drain" -l timeout -d 'Remove the server after this time, with connections or without: 30s, 5m, 1h' -r
complete -c standfast -n "__fish_standfast_using_subcommand drain" -l socket -d 'The daemon\'s control socket, beside its pid file; else the only one below /run' -r -F
complete -c standfast -n "__fish_standfast_using_subcommand drain" -l wait -d 'Return when the server is removed, not when it gets no new connections'
complete -c standfast -n "__fish_standfast_using_subcommand drain" -l persist -d 'Keep it over a restart of the daemon too; else it stands until then'
complete -c standfast -n "__fish_standfast_using_subcommand drain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c standfast -n "__fish_standfast_using_subcommand disable" -l socket -d 'The daemon\'s control socket, beside its pid file; else the only one below /run' -r -F
complete -c standfast -n "__fish_standfast_using_subcommand disable" -l persist -d 'Keep it over a restart of the daemon too; else it stands until then'
complete -c standfast -n "__fish_standfast_using_subcommand disable" -s h -l help -d 'Print help'
complete -c standfast -n "__fish_standfast_using_subcommand enable" -l socket -d 'The daemon\'s control socket, beside its pid file; else the only one below /run' -r -F
complete -c standfast -n "__fish_standfast_using_subcommand enable" -s h -l help -d 'Print help'
complete -c standfast -n "__fish_standfast_using_subcommand weight" -l socket -d 'The daemon\'s control socket, beside its pid file; else the only one below /run' -r -F
complete -c standfast -n "__fish_standfast_using_subcommand weight" -l persist -d 'Keep it over a restart of the daemon too; else it stands until then'
complete -c standfast -n "__fish_standfast_using_subcommand weight" -s h -l help -d 'Print help'
complete -c standfast -n "__fish_standfast_using_subcommand server; and not __fish_seen_subcommand_from add remove help" -s h -l help -d 'Print help'
complete -c standfast -n "__fish_standfast_using_subcommand server; and not __fish_seen_subcommand_from add remove help" -f -a "add" -d 'Add a server that the configuration does not have. It is checked as the service\'s first server is'
complete -c standfast -n "__fish_standfast_using_subcommand server; and not __fish_seen_subcommand_from add remove help" -f -a "remove" -d 'Remove a server at once; `standfast enable` brings one of the configuration back'
complete -c standfast -n "__fish_standfast_using_subcommand server; and not __fish_seen_subcommand_from add remove help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c standfast -n "__fish_standfast_using_subcommand server; and __fish_seen_subcommand_from add" -l weight -d 'Its weight; that of the service\'s first server by default' -r
complete -c standfast -n "__fish_standfast_using_subcommand server; and __fish_seen_subcommand_from add" -l socket -d 'The daemon\'s control socket, beside its pid file; else the only one below /run' -r -F
complete -c standfast -n "__fish_standfast_using_subcommand server; and __fish_seen_subcommand_from add" -l persist -d 'Keep it over a restart of the daemon too; else it stands until then'
complete -c standfast -n "__fish_standfast_using_subcommand server; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c standfast -n "__fish_standfast_using_subcommand server; and __fish_seen_subcommand_from remove" -l socket -d 'The daemon\'s control socket, beside its pid file; else the only one below /run' -r -F
complete -c standfast -n "__fish_standfast_using_subcommand server; and __fish_seen_subcommand_from remove" -l persist -d 'Keep it over a restart of the daemon too; else it stands until then'
complete -c standfast -n "__fish_standfast_using_subcommand server; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c standfast -n "__fish_standfast_using_subcommand server; and __fish_seen_subcommand_from help" -f -a "add" -d 'Add a server that the configuration does not have. It is checked as the service\'s first server is'
complete -c standfast -n "__fish_standfast_using_subcommand server; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Remove a server at once; `standfast enable` brings one of the configuration back'
complete -c standfast -n "__fish_standfast_using_subcommand server; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c standfast -n "__fish_standfast_using_subcommand reload" -l socket -d 'The daemon\'s control socket, beside its pid file; else the only one below /run' -r -F
complete -c standfast -n "__fish_standfast_using_subcommand reload" -s h -l help -d 'Print help'
complete -c standfast -n "__fish_standfast_using_subcommand lab" -l scenario -d 'Run the node files of this folder instead of the built-in pair' -r -F
complete -c standfast -n "__fish_standfast_using_subcommand lab" -l format -d 'How the result is written' -r -f -a "human\t'For people'
json\t'For machines'"
complete -c standfast -n "__fish_standfast_using_subcommand lab" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c standfast -n "__fish_standfast_using_subcommand help; and not __fish_seen_subcommand_from run check config digest fmt lsp pools drain disable enable weight server reload lab help" -f -a "run" -d 'Run the daemon in the foreground, with its log on standard error'
complete -c standfast -n "__fish_standfast_using_subcommand help; and not __fish_seen_subcommand_from run check config digest fmt lsp pools drain disable enable weight server reload lab help" -f -a "check" -d 'Say what is wrong with a configuration. Needs no rights and no interfaces'
complete -c standfast -n "__fish_standfast_using_subcommand help; and not __fish_seen_subcommand_from run check config digest fmt lsp pools drain disable enable weight server reload lab help" -f -a "config" -d 'Show a configuration as it is understood'
complete -c standfast -n "__fish_standfast_using_subcommand help; and not __fish_seen_subcommand_from run check config digest fmt lsp pools drain disable enable weight server reload lab help" -f -a "digest" -d 'Show the MD5 of a page, for `digest` in a `url` block'
complete -c standfast -n "__fish_standfast_using_subcommand help; and not __fish_seen_subcommand_from run check config digest fmt lsp pools drain disable enable weight server reload lab help" -f -a "fmt" -d 'Lay a configuration out: indentation, blanks, line breaks. Changes no meaning and no comment'
complete -c standfast -n "__fish_standfast_using_subcommand help; and not __fish_seen_subcommand_from run check config digest fmt lsp pools drain disable enable weight server reload lab help" -f -a "lsp" -d 'Serve an editor: findings while one types, completion, explanations, definitions, layout'
complete -c standfast -n "__fish_standfast_using_subcommand help; and not __fish_seen_subcommand_from run check config digest fmt lsp pools drain disable enable weight server reload lab help" -f -a "pools" -d 'Show virtual servers and their real servers: state, weight, why, and what operators ordered'
complete -c standfast -n "__fish_standfast_using_subcommand help; and not __fish_seen_subcommand_from run check config digest fmt lsp pools drain disable enable weight server reload lab help" -f -a "drain" -d 'Give a real server no new connections, and remove it when its last one has ended'
complete -c standfast -n "__fish_standfast_using_subcommand help; and not __fish_seen_subcommand_from run check config digest fmt lsp pools drain disable enable weight server reload lab help" -f -a "disable" -d 'Treat a real server as failed, whatever its checks say'
complete -c standfast -n "__fish_standfast_using_subcommand help; and not __fish_seen_subcommand_from run check config digest fmt lsp pools drain disable enable weight server reload lab help" -f -a "enable" -d 'Take back what `drain`, `disable` and `server remove` did'
complete -c standfast -n "__fish_standfast_using_subcommand help; and not __fish_seen_subcommand_from run check config digest fmt lsp pools drain disable enable weight server reload lab help" -f -a "weight" -d 'Give a real server another weight than the configured one'
complete -c standfast -n "__fish_standfast_using_subcommand help; and not __fish_seen_subcommand_from run check config digest fmt lsp pools drain disable enable weight server reload lab help" -f -a "server" -d 'Add and remove real servers at run time'
complete -c standfast -n "__fish_standfast_using_subcommand help; and not __fish_seen_subcommand_from run check config digest fmt lsp pools drain disable enable weight server reload lab help" -f -a "reload" -d 'Have the running daemon read its configuration again'
complete -c standfast -n "__fish_standfast_using_subcommand help; and not __fish_seen_subcommand_from run check config digest fmt lsp pools drain disable enable weight server reload lab help" -f -a "lab" -d 'Build a cluster on this machine, break it in every way, and show what its users notice'
complete -c standfast -n "__fish_standfast_using_subcommand help; and not __fish_seen_subcommand_from run check config digest fmt lsp pools drain disable enable weight server reload lab help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c standfast -n "__fish_standfast_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "dump" -d 'Show the configuration as it is understood: every value, every default, and where each comes from, after includes, conditions and definitions. Passwords are masked'
complete -c standfast -n "__fish_standfast_using_subcommand help; and __fish_seen_subcommand_from server" -f -a "add" -d 'Add a server that the configuration does not have. It is checked as the service\'s first server is'
complete -c standfast -n "__fish_standfast_using_subcommand help; and __fish_seen_subcommand_from server" -f -a "remove" -d 'Remove a server at once; `standfast enable` brings one of the configuration back'
