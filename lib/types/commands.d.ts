/**
 * The commands of a domain, for programs that declare them to the compiler: each command's name, the data
 * that goes with it and the answer that a delivery of it gets, written as a function.
 *
 * Everything travels as JSON, so write the types as they arrive: a `Date` is sent as a `string`.
 *
 * @example
 * ```ts
 * interface Commands {
 *   add(terms: { a: number; b: number }): number
 *   log(line: string): void
 *   ping(): 'pong'
 * }
 *
 * const client = new Client<Commands>()
 * const sum = await client.deliver('add', { a: 1, b: 2 }) // number
 * ```
 */
export type CommandMap<Commands> = { [C in keyof Commands]: (data: any) => any }

/** The commands if none were declared: any name, any data, any answer. */
export type AnyCommands = Record<string, (data?: any) => any>

/** The names of the declared commands. */
export type CommandName<Commands> = keyof Commands & string

/** The data that goes with a command. */
export type CommandData<Commands, C extends keyof Commands> = CommandArguments<Commands, C>[0]

/** What a delivery of a command resolves to. */
export type CommandResult<Commands, C extends keyof Commands> = Commands[C] extends (
  ...data: any
) => infer Result
  ? Awaited<Result>
  : never

/** The data as a list of arguments, so that a program may omit it if the command has none. */
export type CommandArguments<Commands, C extends keyof Commands> = Commands[C] extends (
  ...data: infer Data
) => any
  ? Data extends []
    ? [data?: null]
    : Data
  : never
