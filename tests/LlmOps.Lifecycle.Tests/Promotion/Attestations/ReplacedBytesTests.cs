using System.Data.Common;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Promotion;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;

namespace LlmOps.Lifecycle.Tests.Promotion.Attestations;

/// <summary>Bytes that somebody replaces after the evidence was compared and before the statement is signed. On PostgreSQL: SQLite's writers wait for each other.</summary>
public sealed class ReplacedBytesTests() : ProductTests(DatabaseProvider.Postgres)
{
    [Fact]
    public async Task ReplacedInThatMoment_GetNobodysSignature()
    {
        await Product.PromoteAsync(await Product.VersionAsync("tiny-lm", "int8"), "int8");
        var version = await Product.VersionAsync("tiny-lm", "int8");
        var request = await Product.RequestAsync(version, "int8");
        var other = await Product.StoreAsync("other weights");
        var moment = new AtTheKey(() => Product.ReadAsync(db => db.ModelVariants.Where(v => v.VersionId == version.Id).ExecuteUpdateAsync(u => u.SetProperty(v => v.ArtifactDigest, other.Digest))));
        var decide = ActivatorUtilities.CreateInstance<DecideApproval>(Get<IServiceProvider>(), new Contexts(Product.ProcessSettings["ConnectionStrings__Database"], moment));
        Assert.Contains("has other bytes than the evidence that was signed", await RefusedAsync(ErrorCode.TemporarilyUnavailable, () => decide.ApproveAsync(request.Id, "", Product.Rosa)), StringComparison.Ordinal);
        Assert.Equal(1, moment.Reached);
        Assert.Equal((1, 1), (await CountAsync(db => db.AliasMoves), await CountAsync(db => db.Attestations)));
        Assert.Equal(ApprovalState.WaitingForApproval, await ReadAsync(db => db.Approvals.Where(a => a.Id == request.Id).Select(a => a.State).SingleAsync()));
    }

    private sealed class Contexts(string connection, IInterceptor interceptor) : IDbContextFactory<LlmOpsDb>
    {
        public LlmOpsDb CreateDbContext()
        {
            var options = new DbContextOptionsBuilder<LlmOpsDb>();
            DatabaseSetup.UsePostgres(options, connection).AddInterceptors(interceptor);
            return new(options.Options);
        }
    }

    /// <summary>The key is looked up after the evidence was compared and before the files are read.</summary>
    private sealed class AtTheKey(Func<Task> act) : DbCommandInterceptor
    {
        public int Reached { get; private set; }

        public override async ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result, CancellationToken cancellationToken = default)
        {
            if (Reached == 0 && command.CommandText.Contains("FROM signing_keys", StringComparison.Ordinal))
            {
                Reached++;
                await act();
            }
            return result;
        }
    }
}
